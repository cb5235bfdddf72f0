"""SOAP 1.1 and 1.2: contracts read once, codecs compiled from them."""

"""WS-Security for SOAP envelopes: what the gateway adds to a request, and what an answer must prove before it is read.

Pure: time, randomness, keys and certificates are handed in. Nothing here may ever put a secret into an error or a log.
"""

from gateway.protocols.soap.wsse.dress import Dress, Signer, dress
from gateway.protocols.soap.wsse.verify import Trust, Unverified, usable_key, verified

__all__ = ["Dress", "Signer", "Trust", "Unverified", "dress", "usable_key", "verified"]

"""Contracts as files of a deployment: looked into, pinned, turned into routes and field tables, compared.

What a WSDL says is somebody else's text. It is quoted or cut to one printable line before it stands in a file people edit.
"""

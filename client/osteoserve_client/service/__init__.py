"""The gRPC client of the preprocessing service."""

from osteoserve_client.service.client import PreprocessedVolume, ServiceClient
from osteoserve_client.service.credentials import Credentials, read_token
from osteoserve_client.service.options import preprocessing_options, scintigraphy_options

__all__ = [
    "Credentials",
    "PreprocessedVolume",
    "ServiceClient",
    "preprocessing_options",
    "read_token",
    "scintigraphy_options",
]

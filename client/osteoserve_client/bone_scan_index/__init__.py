"""The Bone Scan Index of a planar whole-body bone scan: hot-spot area over skeletal area.

``docs/bone_scan_index.md`` says what is counted and in which forms hot spots are read.
"""

from osteoserve_client.bone_scan_index.earlier_regions import read_earlier_regions
from osteoserve_client.bone_scan_index.hot_spots import HotSpots, read_hot_spots
from osteoserve_client.bone_scan_index.index import BoneScanIndex, bone_scan_index
from osteoserve_client.bone_scan_index.outputs import write_index
from osteoserve_client.bone_scan_index.result import ScanIndex, index_of_scan

__all__ = [
    "BoneScanIndex",
    "HotSpots",
    "ScanIndex",
    "bone_scan_index",
    "index_of_scan",
    "read_earlier_regions",
    "read_hot_spots",
    "write_index",
]

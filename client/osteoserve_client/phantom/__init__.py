"""Synthetic CT studies with their true skeleton: for the demo, for tests, for training."""

from osteoserve_client.phantom.ct import REGIONS, PhantomCT, PhantomScan, make_ct_phantom
from osteoserve_client.phantom.dicom_study import PATIENT_POSITIONS, write_dicom_study
from osteoserve_client.phantom.label_map import write_ct_nifti, write_label_map
from osteoserve_client.phantom.parameters import PhantomParameters, draw_parameters

__all__ = [
    "PATIENT_POSITIONS",
    "REGIONS",
    "PhantomCT",
    "PhantomParameters",
    "PhantomScan",
    "draw_parameters",
    "make_ct_phantom",
    "write_ct_nifti",
    "write_dicom_study",
    "write_label_map",
]

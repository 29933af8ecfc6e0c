"""Whole-body bone scans: from DICOM NM or grey images to views of which one side is certain."""

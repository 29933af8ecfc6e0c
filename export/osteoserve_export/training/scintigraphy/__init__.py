"""Training Mask R-CNN to find the ten regions of Yu 2023 in whole-body bone scans."""

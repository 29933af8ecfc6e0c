"""The preprocessing service: from a CT volume in Hounsfield units to a label map, through Triton.

``core`` computes and knows no gRPC; ``v1`` is the wire contract; ``triton`` runs an embedded
Triton, ``inference`` asks it; ``server`` puts them together behind gRPC.
"""

"""``osteoserve segment``: a CT study or a bone scan in; masks, tables, report and picture out."""

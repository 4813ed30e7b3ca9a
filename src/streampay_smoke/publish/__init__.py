"""Reports for people and engines, all made from the journal and the verdict."""

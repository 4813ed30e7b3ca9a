"""The judge: manifest, attribution and verdict, all functions of the journal."""

"""What users, operators and attackers do: values in, values out."""

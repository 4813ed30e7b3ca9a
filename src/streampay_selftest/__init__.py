"""What the gate is measured against: a fault or a harmless disturbance at a time, and the answers that are right."""

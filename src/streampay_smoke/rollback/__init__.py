"""The actuator: puts the previous release back and proves it. It knows nothing of the gate, of CI or of the chain."""

"""What is known of each thruster, and how faults are found."""

"""Running: the processes of a `LaunchPlan`, their output, their end, and the state that other commands read."""

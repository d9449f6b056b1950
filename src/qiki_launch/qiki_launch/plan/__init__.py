"""Reading: launch files and arguments to a `LaunchPlan`. Nothing is started here."""

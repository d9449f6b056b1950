"""Values and formats of the console: no ROS, no graph, no command line."""

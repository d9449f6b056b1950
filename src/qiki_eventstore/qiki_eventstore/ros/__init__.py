"""The event store on the graph: services, broadcast, client."""

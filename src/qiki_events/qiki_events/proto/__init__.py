"""Messages of the payloads, package `qiki.events.v1`. The build makes a `*_pb2.py` of each `.proto` file."""

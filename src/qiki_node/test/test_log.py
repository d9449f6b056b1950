"""Log records: their fields, whatever they are called."""

import io
import json

from rclpy.logging import get_logger

from qiki_node.log import NodeLog


def test_a_field_may_be_called_like_a_part_of_the_record():
    stream = io.StringIO()
    NodeLog(get_logger("log_test"), as_json=True, stream=stream).info(
        "valve", text="stuck", level=3, message="m", bar=1
    )
    record = json.loads(stream.getvalue())
    assert (record["level"], record["message"]) == ("info", "valve")
    assert (record["text"], record["level_"], record["message_"], record["bar"]) == ("stuck", 3, "m", 1)

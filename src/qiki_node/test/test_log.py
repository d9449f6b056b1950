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


def test_text_of_a_message_neither_steers_a_terminal_nor_forges_a_record(capfd):
    """As it comes from the logger of ROS, which writes all as it is."""
    log = NodeLog(get_logger("log_test"), as_json=False)
    log.warning("refused \x9b2J", reason="\x1b[2Jall well\n[INFO] forged \u202e", traceback="line\nline \x07")
    _, err = capfd.readouterr()
    assert "refused \\u009b2J reason=\\u001b[2Jall well\\u000a[INFO] forged \\u202e traceback=line\nline \\u0007" in err

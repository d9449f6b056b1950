"""Fast DDS by UDP on the loopback interface and by nothing else: for tests.

Its shared memory belongs to no ROS domain: all participants of a machine take their ports there from one row. Those
that a killed process left, or whose owner a busy machine does not let answer within a second, make a new participant
unable to receive from its peers, or have it print errors on standard output. FASTDDS_BUILTIN_TRANSPORTS does not turn
it off where discovery is limited to this machine (ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST): rmw_fastrtps then adds it
by itself. So this profile has all settings of LOCALHOST except shared memory.
"""

import os
import tempfile
from pathlib import Path

# As many participants of a domain as with LOCALHOST. Announcements that were lost are repeated sooner than after 3 s:
# too long for tests that start a node every second.
PROFILE = """<?xml version="1.0" encoding="UTF-8" ?>
<profiles xmlns="http://www.eprosima.com">
  <transport_descriptors>
    <transport_descriptor>
      <transport_id>loopback</transport_id>
      <type>UDPv4</type>
      <maxInitialPeersRange>32</maxInitialPeersRange>
      <interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>
    </transport_descriptor>
  </transport_descriptors>
  <participant profile_name="loopback" is_default_profile="true">
    <rtps>
      <userTransports><transport_id>loopback</transport_id></userTransports>
      <useBuiltinTransports>false</useBuiltinTransports>
      <builtin>
        <discovery_config>
          <leaseAnnouncement><sec>0</sec><nanosec>300000000</nanosec></leaseAnnouncement>
        </discovery_config>
        <initialPeersList>
          <locator><udpv4><address>127.0.0.1</address></udpv4></locator>
        </initialPeersList>
      </builtin>
    </rtps>
  </participant>
</profiles>
"""


def use_loopback() -> None:
    """Have this process and its children use it; call it before rclpy is started."""
    path = Path(tempfile.gettempdir(), f"qiki_test_loopback_{os.getuid()}.xml")
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(PROFILE, encoding="utf-8")
    fresh.replace(path)  # in one step: others may be reading it
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(path)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SYSTEM_DEFAULT"  # leaves the profile as it is

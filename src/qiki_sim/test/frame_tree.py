"""The tree of frames that messages of /tf and /tf_static describe."""

import numpy as np
from geometry_msgs.msg import TransformStamped

from qiki_vehicle import Pose


class Tree:
    """A walker over transforms, as tf2's buffer."""

    def __init__(self, transforms: list[TransformStamped]) -> None:
        self.parents: dict[str, tuple[str, Pose]] = {}
        for one in transforms:
            place, turn = one.transform.translation, one.transform.rotation
            pose = Pose(np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w]))
            known = self.parents.setdefault(one.child_frame_id, (one.header.frame_id, pose))
            assert known[0] == one.header.frame_id, f"{one.child_frame_id} has two parents"

    @property
    def roots(self) -> set[str]:
        return {parent for parent, _ in self.parents.values()} - self.parents.keys()

    def __contains__(self, frame: str) -> bool:
        return frame in self.parents or frame in self.roots

    def chain(self, frame: str) -> list[str]:
        """The frame and its parents, up to the root."""
        found = [frame]
        while found[-1] in self.parents:
            found.append(self.parents[found[-1]][0])
            assert len(found) <= len(self.parents) + 1, f"{frame}: a loop"
        return found

    def pose(self, frame: str) -> Pose:
        """Place in the root."""
        pose = Pose()
        for one in self.chain(frame)[:-1]:
            pose = self.parents[one][1].then(pose)
        return pose

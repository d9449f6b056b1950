"""Common ground of every QIKI node and of every tool on the graph.

Public modules (import-linter refuses the others outside of this package):

    node             `QikiNode`: lifecycle, parameters, diagnostics, metrics, log and events of a node
    run              `run`: main of a node's process
    parameters       a node's parameters as a typed dataclass
    health           health of a component, as diagnostics publish it
    log              log records with fields, as text or JSON
    qos              quality of service of every topic, by name
    deferred         services that answer later, from any thread
    prompt_action    an action server without tasks of the executor
    executor         the executor that costs least, and how to spin it
    shared_files     files of qiki_bringup by name
    service_type     type of a service class, for generic functions
    session          `Session`: a tool's node for as long as one command lasts
    errors           errors that a command ends with, and their exit codes
    stamps           stamps to numbers and back
    json_text        JSON without NaN
    run_file         the nodes that a run should have
    long_lived       what garbage collections leave out
    shared_memory    what dead processes of the middleware left behind
    completion       names for the completion of a shell
    terminal         text that cannot steer a terminal
    message_classes  generated message classes by name
    testing          nodes under test: private domain, processes, a peer

`completion`, `parameters`, `health`, `errors`, `json_text`, `run_file`, `shared_memory` and `terminal` import no ROS,
and nothing is imported here: they serve code that runs without it.
"""

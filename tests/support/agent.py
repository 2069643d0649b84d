"""A real `sallyport agent` with its own state folder."""
import json

from support.processes import Program
from support.relay import BINARY, clean_environment


class RunningAgent:
    """`code` goes by the environment; `config` holds keys of the agent's configuration file; `within` are words of a program
    that becomes the agent."""

    def __init__(self, folder, code=None, name="home", words=(), stdin=None, env=None, within=(), **config):
        self.name = name
        self.folder = folder
        self.state_dir = folder / f"agent-{name}"
        self._words = list(words)
        self._within = list(within)
        self._stdin = stdin
        self._env = clean_environment(**({"SALLYPORT_ENROLL": code} if code else {}), **(env or {}))
        self.config = {"log_level": "debug", "reconnect_base": "50ms", "reconnect_max": "500ms", "first_look": False, **config}
        self._starts = 0
        self.start()

    def start(self):
        config_file = self.folder / f"agent-{self.name}.yaml"
        config_file.write_text(json.dumps(self.config))
        config_file.chmod(0o600)
        self._starts += 1
        self.program = Program(
            f"agent {self.name}",
            [*self._within, BINARY, "agent", "--config", config_file, "--state-dir", self.state_dir, *self._words],
            env=self._env, stdin=self._stdin, log_path=self.folder / f"agent-{self.name}-{self._starts}.log")

    def wait_until_connected(self, after=0):
        return self.wait_for_event("agent.connected", after=after)

    def wait_for_event(self, event, **options):
        return self.program.wait_for_event(event, **options)

    def stop(self):
        return self.program.stop()

    def kill(self):
        return self.program.kill()

    def restart(self):
        self.stop()
        self.start()

"""A client made of libssh: asks for what OpenSSH's never would."""
import ctypes
import os

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_HOST, _PORT, _USER = 0, 1, 4  # enum ssh_options_e
_PROCESS_CONFIG = 38  # SSH_OPTIONS_PROCESS_CONFIG: the user's own files stay unread


def _load():
    library = ctypes.CDLL("libssh.so.4")
    for name, result, *arguments in (
            ("ssh_new", _POINTER), ("ssh_options_set", _INT, _POINTER, _INT, _POINTER), ("ssh_connect", _INT, _POINTER), ("ssh_get_fd", _INT, _POINTER),
            ("ssh_get_error", _TEXT, _POINTER), ("ssh_set_blocking", None, _POINTER, _INT),
            ("ssh_pki_import_privkey_file", _INT, _TEXT, _TEXT, _POINTER, _POINTER, ctypes.POINTER(_POINTER)), ("ssh_userauth_publickey", _INT, _POINTER, _TEXT, _POINTER),
            ("ssh_channel_listen_forward", _INT, _POINTER, _TEXT, _INT, ctypes.POINTER(_INT)), ("ssh_channel_cancel_forward", _INT, _POINTER, _TEXT, _INT),
            ("ssh_channel_new", _POINTER, _POINTER), ("ssh_channel_open_session", _INT, _POINTER), ("ssh_channel_request_shell", _INT, _POINTER),
            ("ssh_channel_open_forward", _INT, _POINTER, _TEXT, _INT, _TEXT, _INT), ("ssh_channel_write", _INT, _POINTER, _POINTER, ctypes.c_uint32)):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class LibsshClient:
    """Each call waits for its answer. What the relay opens stays unanswered and unread. Never freed: a process of a test is short."""

    def __init__(self, port, key):
        self._library = _load()
        self._session = self._library.ssh_new()
        for option, value in ((_PROCESS_CONFIG, ctypes.byref(ctypes.c_bool(False))), (_HOST, b"127.0.0.1"), (_PORT, ctypes.byref(ctypes.c_uint(port))), (_USER, b"home")):
            self._check(self._library.ssh_options_set(self._session, option, ctypes.cast(value, _POINTER)))
        self._check(self._library.ssh_connect(self._session))
        loaded = _POINTER()
        self._check(self._library.ssh_pki_import_privkey_file(str(key).encode(), None, None, None, ctypes.byref(loaded)))
        self._check(self._library.ssh_userauth_publickey(self._session, None, loaded))

    def _check(self, code):
        assert code == 0, self._library.ssh_get_error(self._session)

    def forward(self, address, port):
        """Whether the relay accepts it."""
        return self._library.ssh_channel_listen_forward(self._session, address, port, ctypes.byref(ctypes.c_int())) == 0

    def cancel(self, address, port):
        return self._library.ssh_channel_cancel_forward(self._session, address, port) == 0

    def open_session(self):
        """A channel with a shell; None if it is refused."""
        channel = self._library.ssh_channel_new(self._session)
        if self._library.ssh_channel_open_session(channel) != 0:
            return None
        self._library.ssh_channel_request_shell(channel)
        return channel

    def reach(self, host, port):
        """Whether a channel of direct-tcpip is accepted."""
        return self._library.ssh_channel_open_forward(self._library.ssh_channel_new(self._session), host, port, b"127.0.0.1", 1) == 0

    def write(self, channel, octets):
        """As much as goes at once."""
        self._library.ssh_set_blocking(self._session, 0)
        return self._library.ssh_channel_write(channel, octets, len(octets))

    def vanish(self):
        os.close(self._library.ssh_get_fd(self._session))

"""What stands between two parties of a call on UDP port 5060."""
import socket
import threading

import media


class SipBox:
    """Listens at `host`:5060, and sends on what pass_on() makes of each message."""

    def __init__(self, host):
        self.address = host.address
        self._socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host.address, 5060))
        host.lab.close_at_end(self._socket)
        threading.Thread(target=self._serve, daemon=True).start()

    def pass_on(self, text, source):
        """The message to send on and where to ("ip:port"), or None. `source`: (ip, port)."""
        raise NotImplementedError

    def _serve(self):
        while True:
            try:
                data, source = self._socket.recvfrom(65536)
            except OSError:
                return
            if not data:
                return
            out = self.pass_on(data.decode(), source)
            if out is None:
                continue
            try:
                self._socket.sendto(out[0].encode(), media.endpoint(out[1]))
            except OSError:
                return

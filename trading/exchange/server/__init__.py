"""The paper exchange as a process: Kite's HTTP routes and ticker on one port, one event loop, no database.

Beside Kite's protocol it says what a program in two times must know, and only to those who ask:

- `GET /_exchange/state`, without login: venue session, market time, speed, trading date, phase (pre-open, open,
  closed), whether frames wait for acknowledgements, whether the day is over and whether it is the last.
- `DELETE /_exchange/token` ends the access token and `POST /_exchange/messages` has something said on every ticker,
  for whoever is on this machine.
- Every HTTP answer has the header `X-Venue-Session`.
- A ticker connection that sends `{"a": "hello", "v": "strategy"}` (or "watcher") takes part: above 1x it is sent
  no frame before it has acknowledged the last with `{"a": "ack", "v": <exchange time, epoch seconds>}`, or 250 ms
  went by. A second without frames brings it a text `{"type": "clock", "data": <the state>}`, and so does the end
  of the day at 15:45, which it acknowledges like a frame: then the next day may begin.
"""

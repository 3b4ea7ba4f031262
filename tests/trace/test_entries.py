"""/proc/net (its last columns left out) as a table of sockets; lines as JSON and back."""

import sys

import pytest

from netglass.trace.entries import as_json, from_json, from_proc
from netglass.trace.table import netstat

pytestmark = pytest.mark.skipif(
    sys.byteorder == "big", reason="the addresses below are as a little-endian machine has them"
)

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000
   1: 0200530A:0050 0100530A:9C40 03 00000000:00000000 01:00000064 00000002
   2: 0200530A:0050 0100530A:9C41 01 00000200:00000040 01:0000000A 00000001
   3: 0200530A:0050 0100530A:9C42 06 00000000:00000000 03:00001770 00000000
   4: 0200530A:0050 0100530A:9C43 08 00000000:00000001 02:00000BB8 00000000
"""
UDP6 = """\
  sl  local_address  remote_address  st tx_queue rx_queue tr tm->when
  10: 00000000000000000000000000000000:14E9 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000
  11: 000083FD000000000000000002000000:C001 000083FD000000000000000001000000:0035 01 00000000:00000100 00:00000000
"""

SHOWN = """\
Proto  Recv-Q  Send-Q  Local Address    Foreign Address  State        Timer
tcp         3       0  127.0.0.1:8080   0.0.0.0:*        LISTEN       off (0.00/0/0)
tcp         0       0  10.83.0.2:80     10.83.0.1:40000  SYN_RECV     on (1.00/2/0)
tcp        64     512  10.83.0.2:80     10.83.0.1:40001  ESTABLISHED  on (0.10/1/0)
tcp         0       0  10.83.0.2:80     10.83.0.1:40002  TIME_WAIT    timewait (60.00/0/0)
tcp         1       0  10.83.0.2:80     10.83.0.1:40003  CLOSE_WAIT   keepalive (30.00/0/0)
udp6        0       0  [::]:5353        [::]:*                        off (0.00/0/0)
udp6      256       0  [fd83::2]:49153  [fd83::1]:53     ESTABLISHED  off (0.00/0/0)
"""


def test_the_kernels_tables():
    assert netstat([*from_proc("tcp", TCP), *from_proc("udp6", UDP6)], 0) == SHOWN


def test_json_and_back():
    entries = [*from_proc("tcp", TCP), *from_proc("udp6", UDP6)]
    assert netstat([from_json(as_json(each, 0)) for each in entries], 0) == SHOWN


def test_a_table_without_lines():
    assert from_proc("tcp", TCP.splitlines()[0] + "\n") == []

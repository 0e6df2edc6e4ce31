#!/usr/bin/env python3
"""natclassify --explain on recorded calls as in doctor_causes_test.py, with rtpengine as their media relay in place of the scripted one:
some kinds of each family whose media is relayed. All others run so by NATKIT_RELAY=rtpengine doctor_causes_test.py CASE…"""
import os
import shutil
import sys

os.environ["NATKIT_RELAY"] = "rtpengine"  # for what is imported, and for the programs that run the cases
import doctor_causes_test  # noqa: E402

KINDS = """ordinary two_nats early_media hold_and_resume_properly muted_from_the_beginning moved_by_reinvite updated encrypted_nat
    old_packets_again_nat ports_used_again_nat payload_type_unknown refused_by_firewall program_of_the_callee_ends
    binding_expired_caller resume_answered_recvonly session_refresh_lost hung_up_by_the_caller""".split()

if __name__ == "__main__":
    if shutil.which("rtpengine") is None:
        print("skipped: rtpengine is not installed (tools/packages.txt, section test)")
        sys.exit(77)
    doctor_causes_test.main(KINDS)

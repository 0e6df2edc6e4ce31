#!/usr/bin/env python3
"""4,000 sessions open at once, opened and closed twenty times: see relay_churn_test.py."""
# ctest: long
# ctest: timeout 900
import relay_churn_test
from relay_churn_test import lab


def churn_twenty_times(net):
    relay_churn_test.churn(net, 20)


if __name__ == "__main__":
    lab.main(churn_twenty_times)

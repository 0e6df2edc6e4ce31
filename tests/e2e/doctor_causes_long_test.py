#!/usr/bin/env python3
# ctest: long
"""The cases that doctor_causes_test.py leaves out."""
import doctor_causes_test

if __name__ == "__main__":
    doctor_causes_test.main(doctor_causes_test.LONG)

"""The signals by which a person has Defender raise a real test alert on a machine. Pure."""

from __future__ import annotations

LINUX = "curl --output /tmp/eicar.com.txt https://secure.eicar.org/eicar.com.txt"
"""Downloads the test file of EICAR. https://learn.microsoft.com/defender-endpoint/linux-install-manually"""

WINDOWS = (
    "powershell.exe -NoExit -ExecutionPolicy Bypass -WindowStyle Hidden \"$ErrorActionPreference = 'silentlycontinue'; "
    "(New-Object System.Net.WebClient).DownloadFile('http://127.0.0.1/1.exe', 'C:\\test-MDATP-test\\invoice.exe'); "
    "Start-Process 'C:\\test-MDATP-test\\invoice.exe'\""
)
"""Starts a program that is not there. https://learn.microsoft.com/azure/defender-for-cloud/alert-validation"""

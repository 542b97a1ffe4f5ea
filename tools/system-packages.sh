#!/bin/sh
# open3d needs the system's libusb-1.0. Install it where we may, else say in one line how.
set -eu
have_libusb() { ldconfig -p 2>/dev/null | grep -q 'libusb-1\.0\.so\.0' || [ "$(uname)" != Linux ]; }
have_libusb && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing the system package libusb-1.0-0"
    { apt-get update -qq && apt-get install -qq -y libusb-1.0-0; } >/dev/null 2>&1 && exit 0
fi
echo "the system package libusb-1.0-0 is missing (open3d needs it): sudo apt-get install libusb-1.0-0" >&2
exit 1

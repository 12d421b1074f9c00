# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# The part of init that is for crosvisor.demo=microdroid: runs the payload of an
# app. /bin/microdroid does it, with modules that no other boot spends time on.

heed_power_button
load_modules order.microdroid
[ -z "$failed" ] || say "demo: modules missing:$failed"
log "init: action microdroid"
/bin/microdroid ${has_vsock:+--vsock} || log "init: there was no payload"

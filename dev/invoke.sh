#!/usr/bin/env bash
# One function, one event: in Docker by `sam local invoke`, else by aws-lambda-rie on this machine.
set -euo pipefail
function=$1 event=$2
local_dir=${LOCAL_DIR:-.local}
if docker info >/dev/null 2>&1 && [[ -n $function ]]; then
  name=$(.venv/bin/python -c 'import sys; sys.path.insert(0, "dev/stack"); import deploy; print(deploy.logical_id(sys.argv[1]))' "$function")
  filled=$(mktemp)
  trap 'rm -f "$filled"' EXIT
  .venv/bin/python dev/stack/rie.py --fill "$event" >"$filled"
  # The containers reach the stack on the host's own loopback.
  .venv/bin/sam local invoke "$name" --template "$local_dir/build/template.yaml" --event "$filled" \
    --env-vars "$local_dir/env-vars.json" --docker-network host --parameter-overrides Platform=local
else
  exec .venv/bin/python dev/stack/rie.py "$event" ${function:+--function "$function"}
fi

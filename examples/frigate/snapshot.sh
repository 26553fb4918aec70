#!/bin/sh
# A camera's newest frame from Frigate, relit by a running "relume serve", into a file:
#   FRIGATE=http://127.0.0.1:5000 RELUME=http://127.0.0.1:7860 sh snapshot.sh front_door snapshots/
# The name is the time. RELUME_TOKEN, where the service asks for one, is read from the environment.
# Call it from an automation (an MQTT event "new", a timer); without Frigate any address of a JPEG will do.
set -eu
camera=$1
folder=$2
file=$folder/$camera-$(date +%Y%m%d-%H%M%S).jpg
frame=$file.frame.part
part=$file.part
trap 'rm -f "$frame" "$part"' EXIT
curl --silent --show-error --fail --max-time 20 "$FRIGATE/api/$camera/latest.jpg" -o "$frame"
curl --silent --show-error --fail --max-time 120 ${RELUME_TOKEN:+-H "Authorization: Bearer $RELUME_TOKEN"} \
  -F "file=@$frame;filename=$camera.jpg" "$RELUME/v1/enhance" -o "$part"
mv "$part" "$file"
echo "$file"

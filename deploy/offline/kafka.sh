#!/bin/bash
# Properties from the variables KAFKA_…, storage formatted if it is not yet, then the broker.
set -eu
export CLUSTER_ID="${CLUSTER_ID:-bWlsbHJhY2UtY29tcG9zZQ}"
run=(java -XX:-UsePerfData -Dlog4j2.configurationFile=/etc/kafka/docker/log4j2.properties -cp "/opt/kafka/libs/*")
said=$("${run[@]}" -XX:TieredStopAtLevel=1 kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) \
    || [[ "$said" == *"already formatted"* ]] || { echo "$said"; exit 1; }
# shellcheck disable=SC2086 # a list of options
exec "${run[@]}" ${KAFKA_HEAP_OPTS:--Xmx1g} ${KAFKA_OPTS:-} kafka.Kafka /opt/kafka/config/server.properties

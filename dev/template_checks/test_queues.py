"""Queues: nothing is lost in them, an outage does not empty them, workers leave room for the doors."""

from __future__ import annotations

from conftest import Template

DAY = 86_400
# The quota of an AWS account and PostgreSQL's own default. A young account has a quota of 10: ask for more first.
ACCOUNT_CONCURRENCY = 1_000
DATABASE_CONNECTIONS = 100
# For the owner's own sessions, migrations, and the superuser's reserve.
SPARE_CONNECTIONS = 10
# p99 of a door that asks the database, generously.
DOOR_SECONDS = 0.1


def test_visibility_is_at_least_six_times_the_timeout_of_the_function(template: Template) -> None:
    for function, queue, _ in template.mappings():
        assert template.queues[queue]["VisibilityTimeout"] >= 6 * function.timeout, queue


def test_each_queue_has_exactly_one_worker(template: Template) -> None:
    assert sorted(queue for _, queue, _ in template.mappings()) == sorted(template.queues)


def test_workers_report_single_failures_and_are_bounded(template: Template) -> None:
    for function, _, mapping in template.mappings():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function.name
        assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2, function.name
    batches = {function.name: mapping["BatchSize"] for function, _, mapping in template.mappings()}
    assert batches["place-call"] == batches["place-trunk-call"] == 1
    assert batches["call-status"] == 10


def test_each_queue_has_a_dead_letter_queue_that_keeps_longer(template: Template) -> None:
    every = template.of_type("AWS::SQS::Queue")
    for name, queue in template.queues.items():
        target = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert every[target]["MessageRetentionPeriod"] == 14 * DAY, target
        # Age counts from the first send, so a message would expire at once in a queue that keeps no longer.
        assert queue["MessageRetentionPeriod"] < every[target]["MessageRetentionPeriod"], name
    assert len(every) == 2 * len(template.queues)


def test_an_outage_of_hours_does_not_empty_a_queue_into_its_dead_letter_queue(template: Template) -> None:
    put_off_seconds = 60
    for name, queue in template.queues.items():
        receives = queue["RedrivePolicy"]["maxReceiveCount"]
        assert receives <= 1_000, "SQS takes no more"
        assert receives * min(put_off_seconds, queue["VisibilityTimeout"]) >= 12 * 3_600, name


def test_queues_are_encrypted_and_speak_tls_only(template: Template) -> None:
    every = template.of_type("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] is True for queue in every.values())
    policy = template.of_type("AWS::SQS::QueuePolicy")["QueuePolicy"]
    assert {queue["Ref"] for queue in policy["Queues"]} == set(every)
    statement = policy["PolicyDocument"]["Statement"][0]
    assert {resource["Fn::GetAtt"][0] for resource in statement["Resource"]} == set(every)
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_workers_leave_the_doors_their_share_of_the_account(template: Template) -> None:
    workers = sum(mapping["ScalingConfig"]["MaximumConcurrency"] for _, _, mapping in template.mappings())
    assert workers + door_peak(template) <= ACCOUNT_CONCURRENCY / 2


def test_all_functions_together_leave_the_database_some_connections(template: Template) -> None:
    workers = sum(
        mapping["ScalingConfig"]["MaximumConcurrency"]
        for function, _, mapping in template.mappings()
        if "DATABASE_URL" in function.variables
    )
    scheduled = sum(bool(function.properties.get("Events")) for function in template.functions.values())
    assert workers + scheduled + door_peak(template) <= DATABASE_CONNECTIONS - SPARE_CONNECTIONS


def door_peak(template: Template) -> float:
    """Requests in flight at once, if every one of them went to a door with a database."""
    settings = template.of_type("AWS::ApiGatewayV2::Stage")["HttpApiStage"]["DefaultRouteSettings"]
    return settings["ThrottlingBurstLimit"] + settings["ThrottlingRateLimit"] * DOOR_SECONDS

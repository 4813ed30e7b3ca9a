"""The checks against a whole sandbox: honest, and with each fault that one of them is there to find."""

from collections.abc import Callable, Iterator

import pytest
from step_parts import ROOT, Witness, surroundings_of

from streampay_smoke import journeys
from streampay_smoke.evidence.events import ChainSeen, ResourceCreated, ResourceReleased, Settled
from streampay_smoke.promises import ledger, listing, readiness, settlement
from streampay_smoke.sandbox.stack import Sandbox, start_sandbox
from streampay_smoke.service.identity import BadName, bad_credentials
from streampay_smoke.settings import load
from streampay_smoke.world import World

Story = Callable[[World], None]
"""What a scenario of the features does, step after step."""


def new_world(sandbox: Sandbox, witness: Witness) -> World:
    settings = load(environ=sandbox.ready_document()["env"], root=ROOT)
    return World(surroundings_of(settings, witness))


def is_ready(world: World) -> None:
    world.readiness = world.surroundings.readiness
    readiness.answers_for_itself(world.readiness, world.expect)
    readiness.dependencies_are_ok(world.readiness, world.expect)
    readiness.names_network(world.readiness, world.settings.place.service.network, world.expect)
    readiness.release_answers(world.readiness, "sandbox", world.expect)


def lists_streams(world: World) -> None:
    world.credential = world.surroundings.credential
    world.own_streams = journeys.streams_of_the_user(world.surroundings, at_least=2)
    world.pages = journeys.pages_of_own_streams(world)
    own = [stream.id for stream in world.own_streams]
    listing.each_shown_once(world.pages, own, page_size=world.page_size, expect=world.expect)
    listing.nothing_private(world.pages, world.expect)


def refuses(name: BadName) -> Story:
    def story(world: World) -> None:
        bad = bad_credentials(world.surroundings.user, jwt_secret=world.settings.auth_jwt_secret)[name]
        refusal = world.deployment.refusal(bad.credential)
        listing.refused(refusal, name, world.expect)
        listing.shows_no_stream(refusal, name, world.expect)

    return story


def hides_from_others(world: World) -> None:
    world.own_streams = journeys.streams_of_the_user(world.surroundings, at_least=1)
    second = world.surroundings.second_credential
    listing.hidden_from(
        listing.pages_of(world.deployment, second, page_size=100), world.own_streams, world.expect
    )
    for stream in world.own_streams[:3]:
        listing.cannot_be_opened(world.deployment.stream_answer(second, stream.id), world.expect)


def settles(world: World) -> None:
    readiness.refuse_real_money(world.surroundings.readiness)
    world.credential = world.surroundings.credential
    world.proof = world.surroundings.proof()
    journeys.start_stream(world, requests=2)
    journeys.settle(world)
    settlement.one_stream_was_created(world.created, world.order, world.expect)
    world.proof.created_once(world.expect)
    world.proof.paid(world.receipt, world.order, world.expect)
    world.proof.paid_exactly_once(world.receipt, world.expect)
    record = world.deployment.stream(world.credential, world.receipt.stream_id)
    world.proof.agrees(world.receipt, record, world.expect)


def repeats(world: World) -> None:
    world.credential = world.surroundings.credential
    world.proof = world.surroundings.proof()
    journeys.start_stream(world, requests=1)
    journeys.settle(world)
    journeys.repeat_settlement(world)
    settlement.same_receipt(world.receipt, world.repeated_receipt, world.expect)
    settlement.cannot_settle_again(world.second_settlement, world.expect)
    settlement.key_does_not_answer_for(world.other_settlement, world.receipt, world.other_stream, world.expect)
    world.proof.paid(world.receipt, world.order, world.expect)
    world.proof.paid_exactly_once(world.receipt, world.expect)


def ledger_moves(world: World) -> None:
    ledger.network_moves(world.surroundings.ledger, world.expect)


def contract_is_there(world: World) -> None:
    ledger.interface_is_there(world.surroundings.ledger, world.expect)


def streams_directly(world: World) -> None:
    shared = world.surroundings
    direct = ledger.DirectStream(shared.ledger, shared.payer, shared.recipient.address)
    direct.play(total_stroops=1_234_567, duration_seconds=1)
    direct.paid_whole_once(world.expect)
    direct.money_is_conserved(world.expect)

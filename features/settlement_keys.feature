@smoke @settlement @settlement-keys @critical
Feature: Settlement keys and receipts
  An idempotency key and a receipt stand for one settlement of one stream, also when a settlement fails.

  SPECIFICATION: A settlement is refused with a status of its kind of refusal.
    | refusal     | status   |
    | not settled | 409, 422 |

  Background:
    Given the service is ready
    And the service works on a test network
    And the synthetic user is signed in

  @writes
  Scenario: A failed settlement leaves the stream unsettled and succeeds with the same key
    Given the user has requested a settlement in this run
    When the user repeats every failed settlement with the same key
    Then every failed settlement has left its stream active or paused
    And every failed settlement succeeds with the same key

  @writes
  Scenario: A receipt and the record of the stream name the same transaction
    Given the user has a settled stream
    When the user reads the settled stream
    Then the receipt names one transaction
    And the record names the transaction of the receipt

  @writes
  Scenario: A used settlement key does not settle another stream
    Given the user has a settled stream
    When the user settles another stream with the used key
    Then the settlement of another stream with the used key is refused

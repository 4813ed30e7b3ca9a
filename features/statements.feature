@smoke @statements @critical
Feature: Statements tell one story
  Whoever asks, in which way, and over which replica: the record of a stream says the same.

  Background:
    Given the service is ready
    And the synthetic user is signed in

  @writes
  Scenario: An order is kept once, and every replica knows it
    Given the user has placed an order in the newer way
    When the order is repeated with its key
    And another order is placed under its key
    Then the repeated order is the first stream
    And the key does not answer for the other order
    And every replica that answers shows the stream

  @writes
  Scenario: A stream that was paid out is told alike in both ways
    Given the user has a settled stream
    When the user withdraws what was settled
    Then the withdrawal is of the settled money
    And the older and the newer way tell the same story of the streams of this run

  @canary
  Scenario: A stream from before this release is still there
    When the user looks for the stream that is kept from release to release
    Then it is there, and it is theirs

@smoke @records @critical
Feature: Stream records are consistent
  The record of a stream is the same after repeated requests, in API v1 and API v2, on every replica and in every release.

  Background:
    Given the service is ready
    And the synthetic user is signed in

  @writes
  Scenario: A repeated create request makes one stream, and every replica shows it
    Given the user has created a stream through API v2
    When the user repeats the create request with the same key
    And the user sends another create request with the used key
    Then the repeated create request returns the first stream
    And the other create request with the used key is refused
    And every replica that answers shows the stream

  @writes
  Scenario: API v1 and API v2 return the same record of a settled stream
    Given the user has a settled stream
    When the user withdraws the settled amount
    Then the withdrawal names the settled stream and its transaction
    And API v1 and API v2 return the same records of the streams of this run

  @canary
  Scenario: A stream from an earlier release still exists
    When the user reads the stream that is kept across releases
    Then the service shows the kept stream to its owner

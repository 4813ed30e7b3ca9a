@smoke @events @critical
Feature: Live events of a stream reach its owner, and nobody else
  Whoever owns a stream is told what happens to it while it happens.

  Background:
    Given the service is ready
    And the synthetic user is signed in

  Scenario: Live events are refused to a caller with a bad credential
    Given they have at least 1 stream
    When callers with bad credentials listen to one of their streams
    Then every attempt is refused

  @second-user
  Scenario: Live events are refused to another user
    Given they have at least 1 stream
    When a second synthetic user listens to one of their streams
    Then every attempt is refused

  @writes @live-events
  Scenario: A start is told live
    Given it works on a test network
    And they have a stream that was never started
    When they listen to it and to another stream, and start the other one
    Then the live events begin within seconds
    And the start is told to its listener

  @writes @live-events
  Scenario: A listener is told of no other stream
    Given it works on a test network
    And they have a stream that was never started
    When they listen to it and to another stream, and start the other one
    Then the live events begin within seconds
    And each listener is told of their stream alone

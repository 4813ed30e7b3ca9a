@smoke @events @critical
Feature: Live events of a stream reach its owner, and nobody else
  The owner of a stream is told what happens to it while it happens.

  Background:
    Given the service is ready
    And the synthetic user is signed in

  Scenario: Live events are refused to a caller with a bad credential
    Given the user has at least 1 stream
    When callers with bad credentials listen to a stream of the user
    Then every attempt is refused

  @second-user
  Scenario: Live events are refused to another user
    Given the user has at least 1 stream
    When a second user listens to a stream of the first user
    Then every attempt is refused

  @writes @live-events
  Scenario: A start is told live
    Given the service works on a test network
    And the user has a draft stream
    When the user listens to it and to another stream, and starts the other one
    Then the live events begin within seconds
    And the start is told to its listener

  @writes @live-events
  Scenario: A listener is told of no other stream
    Given the service works on a test network
    And the user has a draft stream
    When the user listens to it and to another stream, and starts the other one
    Then the live events begin within seconds
    And each listener is told of their stream alone

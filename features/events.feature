@smoke @events @critical
Feature: Live events reach only the owner of the stream
  The owner of a stream receives events about it as they happen.

  Background:
    Given the service is ready
    And the synthetic user is signed in

  Scenario: Live events are refused to a caller without a valid credential
    Given the user has at least 1 stream
    When callers without a valid credential listen to a stream of the user
    Then every attempt is refused

  @second-user
  Scenario: Live events are refused to another user
    Given the user has at least 1 stream
    When a second user listens to a stream of the first user
    Then every attempt is refused

  @writes @live-events
  Scenario: Live events report the start of a stream within seconds
    Given the service works on a test network
    And the user has a draft stream
    When the user listens to the draft stream and to a new stream, and starts the new stream
    Then the live events begin within seconds
    And the start is reported to the listener of the started stream

  @writes @live-events
  Scenario: Live events of a stream report no other stream
    Given the service works on a test network
    And the user has a draft stream
    When the user listens to the draft stream and to a new stream, and starts the new stream
    Then the live events begin within seconds
    And each listener receives events of their own stream only

@smoke @throttling @critical
Feature: Limits slow down one caller and nobody else
  Whoever asks too much is told to wait, and whoever comes for the first time is served.

  Background:
    Given the service is ready

  Scenario: A caller nobody has seen before is served at once
    When somebody new asks for streams
    Then they are not told to wait

  @second-user @read-limit
  Scenario: A caller in a rush is told to wait, and nobody else is
    Given the synthetic user is signed in
    When a second synthetic user asks and asks, and then the first one asks
    Then the second user is told to wait
    And the first user is served

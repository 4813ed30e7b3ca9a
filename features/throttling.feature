@smoke @throttling @critical
Feature: Rate limits apply to each caller separately
  A caller who exceeds a limit is throttled, and other callers are served.

  Background:
    Given the service is ready

  Scenario: A new caller is not throttled
    When a new caller lists streams
    Then the new caller is not throttled

  @second-user @read-limit
  Scenario: Only the caller who exceeds the read limit is throttled
    Given the synthetic user is signed in
    When the first user lists streams after a second user exceeded the read limit
    Then the second user is throttled
    And the first user is served

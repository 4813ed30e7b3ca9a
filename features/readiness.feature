@smoke @readiness @blocker
Feature: Service is ready
  A release receives users only after it reports that it and its dependencies are ready.

  Scenario: The service and its dependencies are ready
    When the service is asked whether it is ready
    Then the service reports that it is ready in time
    And every named dependency is healthy
    And the service names the network of this environment
    And the clock of the service is right
    And all replicas that answer run the same release
    And all replicas that answer agree on time, keys and limits

  @expected-release
  Scenario: The expected release is deployed on every replica
    When the service is asked whether it is ready
    Then the expected release answers
    And all replicas that answer run the expected release

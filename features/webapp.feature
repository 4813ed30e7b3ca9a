@smoke @webapp @critical
Feature: The web app in a browser
  The app's own pages may do what people came for, and other sites' pages may do nothing in their name.

  Background:
    Given the service is ready

  @app-origin
  Scenario: The app's pages may write
    When a browser asks leave for the app's page
    Then it gets leave for all that a write needs

  Scenario: Another site's pages may not even ask
    When a browser asks leave for another site's page
    Then it gets no leave

  @writes
  Scenario: A write that another site slips in is refused
    Given the synthetic user is signed in
    When a write comes with less than the whole proof of the app's own page
    Then the app's own page is given a proof in two halves
    And every such write is refused
    And the same write with the whole proof is let through

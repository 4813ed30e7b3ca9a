@smoke @webapp @critical
Feature: Browser requests are accepted from the web app only
  Pages of the web app can write through a browser, and pages of other sites can neither read nor write.

  SPECIFICATION: A write without a valid CSRF token is refused with a status of its kind of refusal.
    | refusal            | status        |
    | invalid CSRF token | 400, 403, 419 |

  Background:
    Given the service is ready

  @app-origin
  Scenario: The CORS preflight allows the web app to write
    When a browser sends a CORS preflight for the web app
    Then the web app is allowed to send its writes

  Scenario: CORS allows no request from another site
    When a browser sends a read and a CORS preflight for another site
    Then the other site is not allowed to send requests

  @writes
  Scenario: A write without a valid CSRF token is refused
    Given the synthetic user is signed in
    When another site sends writes with these CSRF tokens
      | CSRF token                      |
      | no token                        |
      | the part that the browser keeps |
      | the part that the page adds     |
      | two parts that do not match     |
    Then the web app receives a CSRF token with two parts
    And every write without a valid CSRF token is refused
    And the same write with a valid CSRF token is accepted

@smoke @webhooks @blocker
Feature: Webhook events are accepted only with a valid signature
  Other services send events to StreamPay. An event that does not prove who sent it is refused.

  Background:
    Given the service is ready

  @writes
  Scenario Outline: A webhook event with <signature> is refused
    Given the service works on a test network
    When a webhook event is sent with <signature>
    Then every attempt is refused

    Examples: Signatures that are not valid
      | signature                            |
      | no signature                         |
      | a signature made with another secret |
      | a signature and no time              |

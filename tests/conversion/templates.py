"""Chat templates of the families' forms, in our words: the hub's own cannot be had here.

Each writes a conversation the way its family's documentation shows it, and uses what real templates
use: loops with an index, white space control, trimming, default system words, exceptions.
"""

from __future__ import annotations

CHATML = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou help with code.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role != 'system' or not loop.first %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

INSTRUCTION = """\
{{ bos_token }}{% set ns = namespace(told=false) %}{% for message in messages %}
    {% if message['role'] == 'system' %}{{ message['content'] }}{% set ns.told = true %}{% endif %}
{% endfor %}
{% if not ns.told %}You help with code.{{ '\\n' }}{% endif %}
{% for message in messages %}
    {% if message['role'] == 'user' %}
{{ '### Instruction:\\n' + message['content'] + '\\n' }}
    {% elif message['role'] == 'assistant' %}
{{ '### Response:\\n' + message['content'] + '\\n<|EOT|>\\n' }}
    {% endif %}
{% endfor %}
{{ '### Response:\\n' }}
"""

BRACKETS = """\
{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set told = messages[0]['content'] %}
{% else %}{% set rest = messages %}{% set told = false %}{% endif %}
{% for message in rest %}
    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{ raise_exception('user and assistant take turns') }}
    {% endif %}
    {% if loop.index0 == 0 and told %}{% set content = '<<SYS>>\\n' + told + '\\n<</SYS>>\\n\\n' + message['content'] %}
    {% else %}{% set content = message['content'] %}{% endif %}
    {% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}
{% endfor %}
"""

TURNS = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}
{% for message in messages %}
    {% set role = 'model' if message['role'] == 'assistant' else message['role'] %}
    {{- '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{% endfor %}
{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}
"""

QUESTIONS = """\
{% for message in messages %}
{% set name = {'user': 'Question', 'system': 'System', 'assistant': 'Answer'}[message['role']] %}
{{ name + ':\\n' + message['content'] + '\\n\\n' }}
{% if loop.last and add_generation_prompt %}{{ 'Answer:\\n' }}{% endif %}
{% endfor %}
"""

MAGIC = """\
{{ bos_token }}{{ 'You answer with care.\\n\\n' }}{% for message in messages %}
{% if message['role'] == 'system' %}{{ raise_exception('no system role') }}
{% elif message['role'] == 'user' %}{{ '@@ Instruction\\n' + message['content'] + '\\n\\n' }}
{% else %}{{ '@@ Response\\n' + message['content'] + eos_token + '\\n\\n' }}{% endif %}
{% endfor %}{{ '@@ Response\\n' }}
"""

BY_FORM = {
    "chatml": (CHATML, "bytes"),  # Qwen2.5-Coder, Qwen3
    "instruction": (INSTRUCTION, "bytes"),  # DeepSeek-Coder, OpenCodeInterpreter DS, AutoCoder
    "brackets": (BRACKETS, "pieces"),  # CodeLlama, OpenCodeInterpreter CL, Codestral, Devstral
    "turns": (TURNS, "gemma"),  # CodeGemma
    "questions": (QUESTIONS, "bytes"),  # Granite-code
    "magic": (MAGIC, "bytes"),  # Magicoder
}
